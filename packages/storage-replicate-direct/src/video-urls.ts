const VIDEO_NAME = /\.(mp4|m4v|webm|mov)$/i;
/** Deeper than any output seen (three levels); a hostile one must not exhaust the stack. */
const MAX_DEPTH = 20;

/**
 * All URLs in a prediction's output, the likeliest video first: those whose path ends like a video file (.mp4, .m4v, .webm,
 * .mov, whatever the query) or that are `data:video/…`, then the others, both in the order of the output.
 * Take the first one.
 *
 * An output is a URL in 180 of 236 public video models; else an array of URLs, an object (`{"mp4": url}`,
 * `{"color_video": url, "model_file": url}`), an array of objects (`[{"file": url}]`), or any nesting of these.
 */
export function videoUrlsIn(output: unknown): string[] {
  const urls = [...urlsIn(output, 0)];
  return [...urls.filter(looksLikeVideo), ...urls.filter((url) => !looksLikeVideo(url))];
}

function* urlsIn(value: unknown, depth: number): Generator<string> {
  if (typeof value === 'string') {
    if (/^data:[^,]*,/i.test(value) || (/^https?:\/\//i.test(value) && URL.canParse(value))) yield value;
  } else if (typeof value === 'object' && value !== null && depth < MAX_DEPTH) {
    for (const member of Object.values(value)) yield* urlsIn(member, depth + 1);
  }
}

function looksLikeVideo(url: string): boolean {
  return /^data:/i.test(url) ? /^data:video\//i.test(url) : VIDEO_NAME.test(new URL(url).pathname);
}
