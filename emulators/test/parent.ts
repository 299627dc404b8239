// Starts the server that is named and waits to be killed.
import * as emulators from '../src/index.ts';

const start = process.argv[2] as 'startFauxqs' | 'startAzurite' | 'startFirebaseStorage' | 'startCeph';
const { port } = await emulators[start]();
console.log(port);
setInterval(() => undefined, 60_000);
