/**
 * Scheme, authority and path, then query or fragment. Slashes may be escaped (`https:\/\/` in JSON). An apostrophe belongs
 * to the URL: encodeURIComponent leaves it as it is. The length of the scheme is bounded so that long texts cost linear time.
 */
const URL_IN_TEXT = /([a-z][a-z0-9+.-]{0,30}:)((?:\\?\/){2}[^\s"<>?#]*)([?#][^\s"<>]*)?/gi;
/** User information, which ends with the last '@' before the path. */
const USER_INFO = /((?:\\?\/){2})[^/\\]*@/g;
/** A port that is no number: what was meant as a password with '/', '?' or '#' in it, so that no host can be told. */
const BROKEN_AUTHORITY = /^((?:\\?\/){2})[^/\\[\]]*:\d*[a-z_].*/i;
/** What signs a URL, also where the URL has no scheme: `GET /objects/a?expires=1&signature=…` */
const SECRET_PARAMETER =
  /((?:[?&;]|\\u0026)(?:x-(?:amz|goog)-[a-z-]+|sig(?:nature)?|accountkey|[\w-]*(?:token|jwt|secret|password))=)[^\s"<>&]+/gi;

/**
 * Takes the query, the fragment and the user information out of every URL in a text, and the value of what looks like a
 * signature or a token in what is left: signed URLs carry their key there. `https://h/p?X-Amz-Signature=…` becomes
 * `https://h/p?…`. In doubt it takes too much.
 */
export function redactUrls(text: string): string {
  return text
    .replace(URL_IN_TEXT, (_url, scheme: string, place: string, query?: string) => {
      const shown = place.replace(USER_INFO, '$1').replace(BROKEN_AUTHORITY, '$1…');
      return scheme + shown + (query === undefined || query.length < 2 ? (query ?? '') : `${query[0]}…`);
    })
    .replace(SECRET_PARAMETER, '$1…');
}
