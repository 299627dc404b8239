import { describe, expect, it } from '@jest/globals';
import type { CopyRecord, SceneRecord, Strategy } from '../src/catalogue/film-record.ts';
import { noPlace, placesOf } from '../src/films/playback.ts';

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
const film = (strategy: Strategy) => ({ id: 'film', strategy });
const place = (strategy: Strategy, of: SceneRecord) => placesOf(film(strategy), of, ['a', 'b'], NOW)[0];

describe('placesOf', () => {
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
    expect(place('cloud', scene())).toBeUndefined();
    expect(noPlace(film('cloud'), scene(), NOW).code).toBe('NOT_ARCHIVED');
  });

  it('plays the direct URL in its last minutes only when there is no copy', () => {
    const last = { deadline: new Date(NOW.getTime() + 60_000) };

    expect(place('hybrid', scene(last))).toMatchObject({ via: 'direct' });
    expect(place('hybrid', scene({ ...last, copies: [verified('b')] }))).toMatchObject({ via: 'copy' });
  });

  it('plays a copy of the earlier video until one of the new video is verified', () => {
    const refused = { sourceError: { code: 'NOT_A_VIDEO', message: 'HTML.' } };
    const old = { ...verified('a'), key: 'old' };

    expect(place('hybrid', scene({ ...refused, revision: 2, copies: [old] }))).toMatchObject({ key: 'old' });
    expect(place('cloud', scene({ revision: 2, copies: [old, { ...verified('b'), revision: 2 }] }))).toMatchObject({
      storage: 'b',
    });
  });

  it('does not name a copy in a store that is not configured', () => {
    expect(place('cloud', scene({ copies: [verified('elsewhere')] }))).toBeUndefined();
  });

  it.each([
    {
      title: 'the URL is dead and there is no copy',
      of: scene(dead),
      code: 'NOTHING_PLAYABLE',
      says: '2026-11-22T11:59',
    },
    {
      title: 'the scene is a placeholder',
      of: scene({ placeholder: true }),
      code: 'PLACEHOLDER',
      says: 'is a placeholder',
    },
  ])('has none, and says why, when $title', ({ of, code, says }) => {
    expect(place('hybrid', of)).toBeUndefined();
    const error = noPlace(film('hybrid'), of, NOW);
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
  });
});
