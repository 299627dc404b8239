import preset from '../jest.preset.mjs';

/** @type {import('jest').Config} */
export default {
  ...preset,
  displayName: 'emulators',
  // a server takes up to two seconds to start, more while the machine is busy
  testTimeout: 30_000,
  // not the 30,000 files of the servers
  roots: ['<rootDir>/src', '<rootDir>/test'],
};
