import { describe, expect, it } from '@jest/globals';
import { deadlineOf } from '../src/index.ts';

const RECEIVED = new Date('2026-11-22T12:00:00.000Z');
const at = (time: string): string => `2026-11-22T${time}Z`;

describe('the deadline of a prediction received at 12:00', () => {
  it.each([
    { title: 'created at 11:55', prediction: { created_at: at('11:55:00') }, deadline: '12:55:00.000' },
    {
      title: 'created at 11:50 and started at 11:55',
      prediction: { created_at: at('11:50:00'), started_at: at('11:55:00') },
      deadline: '12:50:00.000',
    },
    {
      title: 'started before it was created',
      prediction: { created_at: at('11:55:00'), started_at: at('11:50:00') },
      deadline: '12:50:00.000',
    },
    {
      title: 'with microseconds, as Replicate writes them',
      prediction: { created_at: at('11:55:00.967000') },
      deadline: '12:55:00.967',
    },
    {
      title: 'with an offset instead of Z',
      prediction: { created_at: '2026-11-22T12:55:00+01:00' },
      deadline: '12:55:00.000',
    },
    { title: 'without timestamps', prediction: {}, deadline: '13:00:00.000' },
    {
      title: 'with timestamps that are none',
      prediction: { created_at: 'yesterday', started_at: '' },
      deadline: '13:00:00.000',
    },
    {
      title: 'with a timestamp without a zone',
      prediction: { created_at: '2026-11-22T11:55:00' },
      deadline: '13:00:00.000',
    },
    { title: 'created a minute from now', prediction: { created_at: at('12:01:00') }, deadline: '13:00:00.000' },
    {
      title: 'created two hours from now (our clock is slow)',
      prediction: { created_at: at('14:00:00') },
      deadline: '13:00:00.000',
    },
    {
      title: 'created two hours ago with its output still there (our clock is fast)',
      prediction: { created_at: at('10:00:00'), started_at: at('10:00:05') },
      deadline: '13:00:00.000',
    },
    {
      title: 'created in 1970',
      prediction: { created_at: '1970-01-01T00:00:00Z' },
      deadline: '13:00:00.000',
    },
    {
      title: 'created two hours ago and started five minutes ago',
      prediction: { created_at: at('10:00:00'), started_at: at('11:55:00') },
      deadline: '12:55:00.000',
    },
    {
      title: 'created 59 minutes and 59 seconds ago',
      prediction: { created_at: at('11:00:01') },
      deadline: '12:00:01.000',
    },
    { title: 'created exactly an hour ago', prediction: { created_at: at('11:00:00') }, deadline: '13:00:00.000' },
    {
      title: 'whose data was removed',
      prediction: { created_at: at('11:55:00'), data_removed: true },
      deadline: '12:00:00.000',
    },
  ])('$title is $deadline', ({ prediction, deadline }) => {
    expect(deadlineOf(prediction, RECEIVED).toISOString()).toBe(`2026-11-22T${deadline}Z`);
  });

  it('lies after the receipt and at most the retention later, whatever the timestamps say', () => {
    const offsetsMinutes = [-1e6, -180, -120, -61, -60, -59.99, -30, -1, 0, 1, 60, 120, 1e6];
    for (const created of offsetsMinutes) {
      for (const started of offsetsMinutes) {
        const stamp = (minutes: number) => new Date(RECEIVED.getTime() + minutes * 60_000).toISOString();

        const deadline = deadlineOf({ created_at: stamp(created), started_at: stamp(started) }, RECEIVED);

        const remaining = deadline.getTime() - RECEIVED.getTime();
        expect(remaining).toBeGreaterThan(0);
        expect(remaining).toBeLessThanOrEqual(60 * 60_000);
      }
    }
  });

  it('follows another retention', () => {
    const prediction = { created_at: at('11:55:00') };

    expect(deadlineOf(prediction, RECEIVED, 24 * 60)).toEqual(new Date('2026-11-23T11:55:00Z'));
    expect(deadlineOf(prediction, RECEIVED, 4)).toEqual(new Date('2026-11-22T12:04:00Z'));
  });
});
