import { describe, expect, it } from '@jest/globals';
import type { CopyRecord, FilmRecord, SceneRecord } from '../src/catalogue/film-record.ts';
import { exportStatus, isAlive, isSafelyAlive, missingStorages, sceneState } from '../src/films/scene-state.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const inMinutes = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);

const hybrid = { strategy: 'hybrid', storages: ['a', 'b'] } as const;
const direct = { strategy: 'direct', storages: [] } as const;

function copy(storageId: string, state: CopyRecord['state'], more: Partial<CopyRecord> = {}): CopyRecord {
  return { storageId, state, revision: 1, checksums: {}, attempts: 1, updatedAt: NOW, key: 'k', ...more };
}

function scene(more: Partial<SceneRecord> = {}): SceneRecord {
  return {
    id: 1,
    filmId: 'film',
    sceneNumber: 1,
    videoUrl: 'https://replicate.delivery/x/output.mp4',
    placeholder: false,
    revision: 1,
    receivedAt: NOW,
    deadline: inMinutes(60),
    copies: [],
    ...more,
  };
}

describe('sceneState', () => {
  it.each([
    { state: 'placeholder', film: hybrid, of: { placeholder: true } },
    { state: 'live', film: direct, of: {} },
    { state: 'lost', film: direct, of: { deadline: inMinutes(-1) } },
    { state: 'archived', film: direct, of: { copies: [copy('a', 'verified')] } },
    { state: 'archiving', film: hybrid, of: {} },
    { state: 'archiving', film: hybrid, of: { copies: [copy('a', 'verified'), copy('b', 'copying')] } },
    { state: 'archiving', film: hybrid, of: { copies: [copy('a', 'verified', { revision: 0 })] } },
    {
      state: 'archiving',
      film: hybrid,
      of: { sourceError: { code: 'NETWORK', message: 'cut' }, copies: [copy('a', 'failed'), copy('b', 'copying')] },
    },
    { state: 'at_risk', film: hybrid, of: { deadline: inMinutes(10) } },
    {
      state: 'at_risk',
      film: hybrid,
      of: { deadline: inMinutes(10), copies: [copy('a', 'failed'), copy('b', 'failed')] },
    },
    { state: 'archived', film: hybrid, of: { copies: [copy('a', 'verified'), copy('b', 'verified')] } },
    {
      state: 'archived',
      film: hybrid,
      of: { deadline: inMinutes(-9), copies: [copy('a', 'verified'), copy('b', 'verified')] },
    },
    { state: 'degraded', film: hybrid, of: { copies: [copy('a', 'verified'), copy('b', 'failed')] } },
    { state: 'degraded', film: hybrid, of: { copies: [copy('a', 'verified'), copy('b', 'missing')] } },
    { state: 'failed', film: hybrid, of: { copies: [copy('a', 'failed'), copy('b', 'failed')] } },
    { state: 'failed', film: hybrid, of: { sourceError: { code: 'NOT_A_VIDEO', message: 'HTML' } } },
    { state: 'lost', film: hybrid, of: { sourceError: { code: 'SOURCE_EXPIRED', message: 'gone' } } },
  ])('is $state with $of', ({ state, film, of }) => {
    expect(sceneState(film, scene(of), NOW)).toBe(state);
  });
});

it('wants copies that are verified for the present revision only', () => {
  const old = scene({ revision: 2, copies: [copy('a', 'verified'), copy('b', 'verified', { revision: 2 })] });

  expect(missingStorages(hybrid, old)).toEqual(['a']);
});

it.each([
  { alive: true, safely: true, of: {} },
  { alive: true, safely: false, of: { deadline: inMinutes(1) } },
  { alive: false, safely: false, of: { deadline: inMinutes(-1) } },
  { alive: false, safely: false, of: { sourceError: { code: 'SOURCE_EXPIRED', message: 'gone' } } },
  { alive: false, safely: false, of: { sourceError: { code: 'NOT_A_VIDEO', message: 'HTML' } } },
  { alive: false, safely: false, of: { sourceError: { code: 'FORBIDDEN_URL', message: 'private' } } },
  { alive: true, safely: true, of: { sourceError: { code: 'NETWORK', message: 'cut' } } },
])('hands out a direct URL ($alive), and before a copy ($safely), with $of', ({ alive, safely, of }) => {
  expect(isAlive(scene(of), NOW)).toBe(alive);
  expect(isSafelyAlive(scene(of), NOW)).toBe(safely);
});

it.each([
  { status: 'empty', scenes: [scene({ placeholder: true })] },
  {
    status: 'processing',
    scenes: [scene({ deadline: inMinutes(10), copies: [copy('a', 'copying')] })],
  },
  { status: 'processing', scenes: [scene(), scene({ copies: [copy('a', 'verified'), copy('b', 'verified')] })] },
  {
    status: 'completed',
    scenes: [scene({ placeholder: true }), scene({ copies: [copy('a', 'verified'), copy('b', 'verified')] })],
  },
  { status: 'partial', scenes: [scene({ copies: [copy('a', 'verified'), copy('b', 'failed')] })] },
  { status: 'failed', scenes: [scene({ copies: [copy('a', 'failed'), copy('b', 'failed')] })] },
])('calls a film $status', ({ status, scenes }) => {
  const film: FilmRecord = { id: 'film', title: 'Film', createdAt: NOW, updatedAt: NOW, ...hybrid, scenes };

  expect(exportStatus(film, NOW)).toBe(status);
});

it('calls a film pending that is only stored', () => {
  const film: FilmRecord = {
    id: 'film',
    title: 'Film',
    createdAt: NOW,
    updatedAt: NOW,
    strategy: 'cloud',
    storages: [],
    scenes: [scene()],
  };

  expect(exportStatus(film, NOW)).toBe('pending');
});
