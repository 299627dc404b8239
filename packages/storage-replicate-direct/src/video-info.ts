import type { ObjectInfo, OpenedObject } from '@paradoxon/storage';

/** What can be said of a video wherever it lies; the plugin adds the key and the deadline. */
export type VideoInfo = Omit<ObjectInfo, 'key' | 'expiresAt'>;
export type OpenedVideo = Omit<OpenedObject, 'key' | 'expiresAt'>;
