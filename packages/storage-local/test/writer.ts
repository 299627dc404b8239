/**
 * A process of its own that writes one object again and again, for the tests of several processes on one folder.
 * Arguments: root, key, mode ('create' | 'overwrite' | 'hang'), name. Starts when its standard input says so.
 */
import { once } from 'node:events';
import { StorageError } from '@paradoxon/storage';
import { LocalStorage } from '../src/local-storage.ts';

const [root = '', key = '', mode = '', name = ''] = process.argv.slice(2);
const store = new LocalStorage('disk', { root });
const bytes = Buffer.alloc(200_000, name);

async function* chunks() {
  yield bytes;
  if (mode !== 'hang') return;
  console.log('writing');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

async function write(): Promise<string> {
  try {
    await store.put(key, { chunks: chunks() }, { metadata: { writer: name }, ifAbsent: mode === 'create' });
    return 'stored';
  } catch (error) {
    return StorageError.from(error).code;
  }
}

console.log('ready');
await once(process.stdin, 'data');
const outcomes: string[] = [];
for (let n = 0; n < (mode === 'overwrite' ? 20 : 1); n += 1) outcomes.push(await write());
console.log(JSON.stringify(outcomes));
process.exit();
