/** Whether an address is anything but global unicast. */
export function isForbiddenAddress(_address: string): boolean {
  return true;
}
