import preset from '../jest.preset.mjs';

/** @type {import('jest').Config} */
export default {
  ...preset,
  displayName: 'emulators',
  // not the 30,000 files of the servers
  roots: ['<rootDir>/src', '<rootDir>/test'],
};
