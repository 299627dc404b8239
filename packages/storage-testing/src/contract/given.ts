import assert from 'node:assert/strict';
import type { PutOptions, StorageCapabilities, StoragePlugin, StoredObject } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import type { StorageHarness } from '../storage-harness.ts';
import { ScriptedBody } from './scripted-body.ts';

/** What a rule works with: a fresh plugin, and what the harness knows about it. */
export class Given {
  readonly store: StoragePlugin;
  readonly claims: StorageCapabilities;
  readonly #harness: StorageHarness;
  readonly #others: StoragePlugin[] = [];

  constructor(store: StoragePlugin, claims: StorageCapabilities, harness: StorageHarness) {
    this.store = store;
    this.claims = claims;
    this.#harness = harness;
  }

  /** Stores bytes, well-behaved; what an announced size would change is another rule's. */
  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<StoredObject> {
    return this.store.put(key, new ScriptedBody([bytes], { size: bytes.byteLength }), options);
  }

  /** An object to read: a fresh one, or what a read-only plugin offers. */
  async object(): Promise<{ key: string; bytes: Uint8Array }> {
    if (this.claims.write) {
      const [key, bytes] = ['films/7/scene.mp4', noiseBytes(1000, 7)] as const;
      await this.put(key, bytes, { contentType: 'video/mp4' });
      return { key, bytes };
    }
    const sample = await this.#harness.sample?.(this.store);
    assert.ok(sample, 'A read-only plugin needs harness.sample: a key that exists, and its bytes.');
    assert.ok(sample.bytes.byteLength >= 32, 'harness.sample must have 32 bytes or more, for the rules about ranges.');
    return sample;
  }

  /** A well-formed key under which there is nothing. */
  absentKey(): string {
    if (this.claims.write) return 'films/7/absent.mp4';
    assert.ok(this.#harness.absentKey !== undefined, 'A read-only plugin needs harness.absentKey.');
    return this.#harness.absentKey;
  }

  /** A second instance, over a place of its own. */
  async another(): Promise<StoragePlugin> {
    const other = await this.#harness.create();
    this.#others.push(other);
    return other;
  }

  /** What is in the place, sorted: physically when the harness can tell, else as far as the plugin lists it. */
  async inventory(): Promise<readonly string[]> {
    if (this.#harness.leftovers) return [...(await this.#harness.leftovers(this.store))].sort();
    const keys: string[] = [];
    for await (const { key } of this.store.list?.('') ?? []) keys.push(key);
    return keys.sort();
  }

  async end(): Promise<void> {
    for (const store of [this.store, ...this.#others]) {
      await this.#harness.destroy?.(store);
      await store.close?.();
    }
  }
}
