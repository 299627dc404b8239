/** Scheme, authority and path; then userinfo, query and fragment are what may carry a secret. */
const URL_IN_TEXT = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s"'<>?#\\]*)([?#][^\s"'<>\\]*)?/gi;

/**
 * Takes the query, the fragment and the user information out of every URL in a text: signed URLs carry their key there.
 * `https://h/p?X-Amz-Signature=…` becomes `https://h/p?…`.
 */
export function redactUrls(text: string): string {
  return text.replace(URL_IN_TEXT, (_url, scheme: string, rest: string, query?: string) => {
    const [authority = '', ...path] = rest.split('/');
    const host = authority.slice(authority.lastIndexOf('@') + 1);
    return (
      scheme + [host, ...path].join('/') + (query === undefined || query.length < 2 ? (query ?? '') : `${query[0]}…`)
    );
  });
}
