import { type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { buildConnector } from 'undici';
import { mayReach, withoutBrackets } from './allowed-url.ts';
import { FetchError } from './fetch-error.ts';
import { type ResolvedFetchPolicy } from './fetch-policy.ts';

/** Every address of a name. */
export type Resolver = (hostname: string) => Promise<readonly LookupAddress[]>;

/**
 * Opens connections to permitted addresses only. Judging an address anywhere else leaves a gap: a name can resolve
 * differently a moment later, and neither undici's `lookup` option nor its DNS interceptor sees a literal address
 * (measured 2026-11; net.BlockList is ignored by tls.connect as well).
 */
export function guardedConnector(policy: ResolvedFetchPolicy, resolve: Resolver): buildConnector.connector {
  const open = buildConnector({
    lookup: guardedLookup(policy, resolve),
    timeout: policy.connectTimeoutMs,
    allowH2: false,
    // setting `ca` replaces Node's own list, so it has to be repeated
    ...(policy.ca === undefined ? {} : { ca: [...getCACertificates('default'), policy.ca] }),
  });
  return (options, callback) => {
    const host = withoutBrackets(options.hostname);
    // literals are never looked up
    if (isIP(host) !== 0 && !mayReach(host, policy)) return callback(refusal(host, [host]), null);
    open(options, (...[error, socket]) => {
      if (error) return callback(error, null);
      const address = socket.remoteAddress;
      if (address !== undefined && mayReach(address, policy)) return callback(null, socket);
      socket.destroy();
      // a socket without an address was closed by the other side in the meantime
      const closed = new FetchError('NETWORK', `"${host}" closed the connection at once.`);
      callback(address === undefined ? closed : refusal(host, [address]), null);
    });
  };
}

function guardedLookup(policy: ResolvedFetchPolicy, resolve: Resolver): LookupFunction {
  async function permitted(hostname: string): Promise<[LookupAddress, ...LookupAddress[]]> {
    const [first, ...others] = await resolve(hostname);
    if (!first) throw new FetchError('NETWORK', `"${hostname}" has no address.`);
    const addresses: [LookupAddress, ...LookupAddress[]] = [first, ...others];
    // one bad address condemns the answer: a public name has no business with a private one
    const forbidden = addresses.filter(({ address }) => !mayReach(address, policy)).map(({ address }) => address);
    if (forbidden.length > 0) throw refusal(hostname, forbidden);
    return addresses;
  }
  return (hostname, { all }, callback) => {
    permitted(hostname).then(
      (addresses) => (all ? callback(null, addresses) : callback(null, addresses[0].address, addresses[0].family)),
      (error: Error) => callback(error, []),
    );
  };
}

/** The addresses stay out of the message: whoever chose the URL may read it, and would learn our network from it. */
function refusal(host: string, addresses: readonly string[]): FetchError {
  const message = `"${host}" leads to an address that is not public. If it is meant to be reached, list it in allowedPrivateAddresses.`;
  return new FetchError('FORBIDDEN_URL', message, {
    cause: new Error(`Forbidden: ${addresses.join(', ')}`),
  });
}
