import type { CheckLevel } from '@paradoxon/storage';

const LETTERS: Readonly<Record<string, string>> = { r: 'read', w: 'write', d: 'delete', l: 'list' };

/**
 * Reads what a SAS token says about itself, before it is tried.
 *
 * @returns what was found
 * @throws Error what it lacks for this level of check, and how to make a better one
 */
export function inspectSas(sas: string, accountUrl: string, level: CheckLevel): string {
  const token = new URLSearchParams(sas);
  const complaints = [...lifeOf(token), ...scopeOf(token, accountUrl), ...lettersOf(token, level)];
  if (complaints.length > 0) {
    const advice = 'Make a new one for the container with the permissions rwdl (az storage container generate-sas).';
    throw new Error(`The SAS token ${complaints.join('; it ')}. ${advice}`);
  }
  const end = token.get('se');
  return `A SAS token${end === null ? ' with a stored access policy' : `, until ${end}`}.`;
}

function lifeOf(token: URLSearchParams): string[] {
  const now = Date.now();
  const [start, end] = ['st', 'se'].map((name) => Date.parse(token.get(name) ?? ''));
  if (end !== undefined && end <= now) return [`ended at ${token.get('se')}`];
  if (start !== undefined && start > now) return [`begins at ${token.get('st')} only`];
  return [];
}

function scopeOf(token: URLSearchParams, accountUrl: string): string[] {
  const resource = token.get('sr');
  const services = token.get('ss');
  const types = token.get('srt') ?? '';
  const complaints: string[] = [];
  if (token.get('spr') === 'https' && accountUrl.startsWith('http:'))
    complaints.push('is for https, and accountUrl is http');
  if (resource !== null && resource !== 'c') complaints.push(`is not for a container (sr=${resource}, not sr=c)`);
  if (services !== null && !services.includes('b')) complaints.push(`is not for blobs (ss=${services})`);
  if (services !== null && !(types.includes('c') && types.includes('o'))) {
    complaints.push(`is not for containers and objects (srt=${types}, not srt=co)`);
  }
  return complaints;
}

function lettersOf(token: URLSearchParams, level: CheckLevel): string[] {
  const letters = token.get('sp');
  // a stored access policy may have them; only Azure knows
  if (letters === null) return [];
  const missing = [...(level === 'write' ? 'rwdl' : 'rl')].filter((letter) => !letters.includes(letter));
  if (missing.length === 0) return [];
  return [`lacks ${missing.map((letter) => `${letter} (${LETTERS[letter]})`).join(' and ')}: it has sp=${letters}`];
}
