// Type-checks every `ts` block of the READMEs: an example that no longer fits the code fails here.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDER = 'out-tsc/readme';

const packages = (await readdir('packages')).map((name) => `packages/${name}/README.md`);
const files = ['README.md', ...packages].filter((file) => existsSync(file));
await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
let blocks = 0;
for (const file of files) {
  for (const [, block] of (await readFile(file, 'utf8')).matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
    blocks += 1;
    await writeFile(join(FOLDER, `${file.replaceAll('/', '-')}-${blocks}.ts`), `${block}\nexport {};\n`);
  }
}
const config = { extends: '../../tsconfig.scripts.json', include: ['*.ts'] };
await writeFile(join(FOLDER, 'tsconfig.json'), JSON.stringify(config));
const { status } = spawnSync('tsc', ['-p', FOLDER, '--noUnusedLocals', 'false'], { stdio: 'inherit' });
console.log(`READMEs: ${blocks} examples, ${status === 0 ? 'all fit the code' : 'some do not'}`);
process.exitCode = status ?? 1;
