// One server by hand: `node emulators/src/start-one.ts azurite`. It prints where it is and runs until Ctrl-C.
import { once } from 'node:events';
import { startAzurite } from './azurite.ts';
import { startCeph } from './ceph.ts';
import { startFauxqs } from './fauxqs.ts';
import { startFirebaseStorage } from './firebase-storage.ts';
import { ensureServers } from './installation.ts';

const SERVERS = {
  fauxqs: startFauxqs,
  ceph: startCeph,
  azurite: startAzurite,
  'azurite-https': () => startAzurite({ oauth: true }),
  firebase: startFirebaseStorage,
};

const start = Object.entries(SERVERS).find(([name]) => name === process.argv[2])?.[1];
if (start === undefined) {
  console.error(`Which one? ${Object.keys(SERVERS).join(', ')}`);
  process.exit(2);
}
if (start !== startCeph) await ensureServers();
const server = await start();
console.log(JSON.stringify(server, undefined, 2));
// the server itself does not keep us
const staying = setInterval(() => undefined, 60_000);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
clearInterval(staying);
await server.stop();
