import type { RequestHandler } from 'express';
import { ApiError } from './api-error.ts';

/**
 * The service has no keys: what guards it is that only this machine reaches it. A browser on this machine does, too, on
 * behalf of any site; so a name that is not ours (DNS rebinding), and a change asked for by another site, are refused.
 *
 * @param url where the service listens
 * @param publicUrl where users reach it, if elsewhere
 */
export function refuseForeign(url: string, publicUrl: string | undefined): RequestHandler {
  const { port } = new URL(url);
  const own = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `http://${name}:${port}`);
  const hosts = new Set(
    [...own, url, ...(publicUrl === undefined ? [] : [publicUrl])].map((each) => new URL(each).host),
  );
  return (request, _, next) => {
    const { host, origin } = request.headers;
    if (!hosts.has(hostOf(`http://${host}`))) {
      const known = [...hosts].join(', ');
      return next(new ApiError('FOREIGN_HOST', `This is ${known}; set PUBLIC_URL if it has another name.`));
    }
    const changes = !['GET', 'HEAD', 'OPTIONS'].includes(request.method);
    if (changes && origin !== undefined && !hosts.has(hostOf(origin))) {
      return next(new ApiError('FOREIGN_ORIGIN', `Pages of ${origin} may not change anything here.`));
    }
    next();
  };
}

/** Without a scheme's own port; nothing when it is no URL. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');
