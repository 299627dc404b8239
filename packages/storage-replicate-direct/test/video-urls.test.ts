import { describe, expect, it } from '@jest/globals';
import { videoUrlsIn } from '../src/index.ts';

const HOST = 'https://replicate.delivery/czjl';

describe('the URLs in an output', () => {
  it.each([
    { title: 'a string', output: `${HOST}/a.mp4`, urls: [`${HOST}/a.mp4`] },
    { title: 'an array of one string', output: [`${HOST}/a.mp4`], urls: [`${HOST}/a.mp4`] },
    {
      title: 'an array of several',
      output: [`${HOST}/a.mp4`, `${HOST}/b.mp4`],
      urls: [`${HOST}/a.mp4`, `${HOST}/b.mp4`],
    },
    { title: 'an object with mp4', output: { mp4: `${HOST}/a.mp4` }, urls: [`${HOST}/a.mp4`] },
    {
      title: 'an object with a model beside the video',
      output: { model_file: `${HOST}/m.glb`, color_video: `${HOST}/a.mp4` },
      urls: [`${HOST}/a.mp4`, `${HOST}/m.glb`],
    },
    { title: 'an array of objects', output: [{ file: `${HOST}/a.mp4` }], urls: [`${HOST}/a.mp4`] },
    {
      title: 'deep nesting with other things in it',
      output: { results: [{ seed: 7, ok: true, none: null, text: 'a cat', media: { video: [`${HOST}/a.webm`] } }] },
      urls: [`${HOST}/a.webm`],
    },
    {
      title: 'a poster before the video, which has a query and capitals',
      output: [`${HOST}/p.png`, `${HOST}/A.MOV?x=1.png`],
      urls: [`${HOST}/A.MOV?x=1.png`, `${HOST}/p.png`],
    },
    {
      title: 'a name without an extension',
      output: [`${HOST}/output?file=x.mp4`, `${HOST}/second`],
      urls: [`${HOST}/output?file=x.mp4`, `${HOST}/second`],
    },
    {
      title: 'escaped names, which stay as they are',
      output: `${HOST}/a%2520b%22.mp4`,
      urls: [`${HOST}/a%2520b%22.mp4`],
    },
    {
      title: 'data URLs',
      output: ['data:image/png;base64,AA==', 'data:video/mp4;base64,AAAA'],
      urls: ['data:video/mp4;base64,AAAA', 'data:image/png;base64,AA=='],
    },
    { title: 'text that only contains a URL', output: `see ${HOST}/a.mp4`, urls: [] },
    { title: 'other schemes', output: ['file:///etc/passwd', 'ftp://h/a.mp4', 'https://'], urls: [] },
    { title: 'null', output: null, urls: [] },
    { title: 'nothing', output: undefined, urls: [] },
    { title: 'a number', output: 42, urls: [] },
  ])('$title', ({ output, urls }) => {
    expect(videoUrlsIn(output)).toEqual(urls);
  });

  it('gives up on an output nested a million times', () => {
    let output: unknown = `${HOST}/a.mp4`;
    for (let depth = 0; depth < 1_000_000; depth += 1) output = [output];

    expect(videoUrlsIn(output)).toEqual([]);
  });
});
