import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All that IANA has given out for the public IPv6 internet; the rest, `::a.b.c.d` and site-local included, is not. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Azure's WireServer hands out credentials to every virtual machine, under an address that looks public. */
const AZURE_WIRE_SERVER = '168.63.129.16';

/**
 * Whether an address is anything but global unicast: private, loopback, link-local, carrier-grade NAT, multicast,
 * reserved, for documentation, or an IPv6 form that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo).
 * A list of what is bad was always missing something, so only what is known to be good passes.
 *
 * @param address as a socket reports it; anything that is no IP address is forbidden too
 */
export function isForbiddenAddress(address: string): boolean {
  if (isIP(address) === 0) return true;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return true;
  return parsed.kind() === 'ipv6' ? !parsed.match(GLOBAL_IPV6) : parsed.toString() === AZURE_WIRE_SERVER;
}

/** One spelling per address, so that two can be compared. */
export function canonicalAddress(address: string): string {
  return isIP(address) === 0 ? address : ipaddr.parse(address).toString();
}
