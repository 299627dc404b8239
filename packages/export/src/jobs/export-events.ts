import { EventEmitter } from 'node:events';
import type { SceneState } from '../films/scene-state.ts';

interface OfScene {
  readonly filmId: string;
  readonly sceneNumber: number;
}

/** What happens while films are exported, in this process. */
export interface ExportEventMap {
  /** Work on a scene begins; `storages` are the stores that lack it. */
  'scene.started': [event: OfScene & { storages: readonly string[] }];
  /** Bytes that a store has taken so far. At most ten a second for each scene. */
  'copy.progress': [event: OfScene & { storage: string; bytes: number; size: number | undefined }];
  'copy.verified': [event: OfScene & { storage: string; size: number; sha256: string; reused: boolean }];
  'copy.failed': [event: OfScene & { storage: string; error: { code: string; message: string } }];
  /** A check found that a verified copy is gone or altered. */
  'copy.lost': [event: OfScene & { storage: string; state: 'missing' | 'corrupt' }];
  /** Nothing more is done for the scene now. */
  'scene.settled': [event: OfScene & { state: SceneState }];
}

export class ExportEvents extends EventEmitter<ExportEventMap> {
  constructor() {
    super();
    // every open event stream of the API listens here
    this.setMaxListeners(0);
  }
}
