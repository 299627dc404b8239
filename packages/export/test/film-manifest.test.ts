import { describe, expect, it } from '@jest/globals';
import { filmIdOf, filmManifestSchema } from '../src/films/film-manifest.ts';

const scene = { scene_number: 1, video_url: 'https://replicate.delivery/x/output.mp4' };
const film = (more: object = {}) => ({ title: 'Film', scenes: [scene], ...more });

describe('filmManifestSchema', () => {
  it.each([
    { title: 'a film', input: film() },
    { title: 'its own id', input: film({ film_id: 'F-1_a' }) },
    {
      title: 'a prediction instead of a URL',
      input: film({ scenes: [{ scene_number: 1, prediction_id: '15eyanar9xrg80ckd3ytdz0hhr' }] }),
    },
    {
      title: 'a demo placeholder',
      input: film({ scenes: [{ scene_number: 1, video_url: 'placeholder_scene_1.mp4' }] }),
    },
    { title: 'a duration', input: film({ scenes: [{ ...scene, duration: 4.5 }] }) },
  ])('accepts $title', ({ input }) => {
    expect(filmManifestSchema.safeParse(input).success).toBe(true);
  });

  it.each([
    { title: 'no title', input: { scenes: [scene] }, at: 'title' },
    { title: 'no scenes', input: film({ scenes: [] }), at: 'scenes' },
    { title: 'a scene number twice', input: film({ scenes: [scene, scene] }), at: 'scenes' },
    { title: 'scene 0', input: film({ scenes: [{ ...scene, scene_number: 0 }] }), at: 'scenes.0.scene_number' },
    { title: 'scene -1', input: film({ scenes: [{ ...scene, scene_number: -1 }] }), at: 'scenes.0.scene_number' },
    { title: 'scene 1e9', input: film({ scenes: [{ ...scene, scene_number: 1e9 }] }), at: 'scenes.0.scene_number' },
    { title: 'scene "1"', input: film({ scenes: [{ ...scene, scene_number: '1' }] }), at: 'scenes.0.scene_number' },
    { title: 'neither URL nor prediction', input: film({ scenes: [{ scene_number: 1 }] }), at: 'scenes.0' },
    {
      title: 'a file: URL',
      input: film({ scenes: [{ ...scene, video_url: 'file:///etc/passwd' }] }),
      at: 'scenes.0.video_url',
    },
    {
      title: 'a data: URL',
      input: film({ scenes: [{ ...scene, video_url: 'data:video/mp4;base64,AA' }] }),
      at: 'scenes.0.video_url',
    },
    {
      title: 'an ftp: URL',
      input: film({ scenes: [{ ...scene, video_url: 'ftp://h/x.mp4' }] }),
      at: 'scenes.0.video_url',
    },
    {
      title: 'user information',
      input: film({ scenes: [{ ...scene, video_url: 'https://u:p@h/x.mp4' }] }),
      at: 'scenes.0.video_url',
    },
    {
      title: 'a 10 KB URL',
      input: film({ scenes: [{ ...scene, video_url: `https://h/${'x'.repeat(10_240)}` }] }),
      at: 'scenes.0.video_url',
    },
    {
      title: 'a NUL in a URL',
      input: film({ scenes: [{ ...scene, video_url: 'https://h/a\0b' }] }),
      at: 'scenes.0.video_url',
    },
    {
      title: 'half a character in a URL',
      input: film({ scenes: [{ ...scene, video_url: 'https://h/\ud800' }] }),
      at: 'scenes.0.video_url',
    },
    { title: 'a line break in a title', input: film({ title: 'a\nb' }), at: 'title' },
    { title: 'a path as film id', input: film({ film_id: '../x' }), at: 'film_id' },
    { title: 'an unknown field', input: film({ colour: 'red' }), at: '' },
  ])('refuses $title, naming the field', ({ input, at }) => {
    const parsed = filmManifestSchema.safeParse(input);

    expect(parsed.error?.issues[0]?.path.join('.')).toBe(at);
  });
});

it('gives the same film the same id, and another film another one', () => {
  const one = filmManifestSchema.parse(film());
  const two = filmManifestSchema.parse(film({ title: 'Another' }));

  expect(filmIdOf(one)).toBe(filmIdOf(structuredClone(one)));
  expect(filmIdOf(one)).not.toBe(filmIdOf(two));
  expect(filmIdOf(one)).toMatch(/^film-[0-9a-f]{16}$/);
});
