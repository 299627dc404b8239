import { describe, expect, it } from '@jest/globals';
import type { CopyRecord, SceneRecord, Strategy } from '../src/catalogue/film-record.ts';
import { choosePlace } from '../src/films/playback.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const URL_OF_SCENE = 'https://replicate.delivery/x/output.mp4';

function scene(more: Partial<SceneRecord> = {}): SceneRecord {
  return {
    id: 1,
    filmId: 'film',
    sceneNumber: 3,
    videoUrl: URL_OF_SCENE,
    placeholder: false,
    revision: 1,
    receivedAt: NOW,
    deadline: new Date(NOW.getTime() + 3_600_000),
    copies: [],
    ...more,
  };
}
const verified = (storageId: string): CopyRecord => ({
  storageId,
  state: 'verified',
  revision: 1,
  checksums: {},
  attempts: 1,
  updatedAt: NOW,
  key: `films/${storageId}`,
});
const dead = { deadline: new Date(NOW.getTime() - 1) };
const place = (strategy: Strategy, of: SceneRecord) => choosePlace({ id: 'film', strategy }, of, ['a', 'b'], NOW);

describe('choosePlace', () => {
  it.each(['direct', 'hybrid'] as const)('plays the direct URL while it is alive (%s)', (strategy) => {
    expect(place(strategy, scene({ copies: [verified('a')] }))).toEqual({ via: 'direct', source: URL_OF_SCENE });
  });

  it.each(['direct', 'hybrid'] as const)('plays a copy once the direct URL is dead (%s)', (strategy) => {
    expect(place(strategy, scene({ ...dead, copies: [verified('b')] }))).toMatchObject({ via: 'copy', storage: 'b' });
  });

  it('prefers stores in the order of the host', () => {
    const both = scene({ copies: [verified('b'), verified('a')] });

    expect(place('cloud', both)).toMatchObject({ storage: 'a' });
  });

  it('never plays the source with cloud, however alive it is', () => {
    expect(() => place('cloud', scene())).toThrow(expect.objectContaining({ code: 'NOT_ARCHIVED' }));
  });

  it.each([
    { title: 'the URL is dead and there is no copy', of: scene(dead), code: 'NOTHING_PLAYABLE' },
    { title: 'the scene is a placeholder', of: scene({ placeholder: true }), code: 'PLACEHOLDER' },
  ])('says so when $title', ({ of, code }) => {
    expect(() => place('hybrid', of)).toThrow(expect.objectContaining({ code }));
  });
});
