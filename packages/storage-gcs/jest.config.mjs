import preset from '../../jest.preset.mjs';

/** @type {import('jest').Config} */
export default { ...preset, displayName: 'storage-gcs', testTimeout: 20_000 };
