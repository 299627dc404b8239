export { deadlineOf } from './deadline.ts';
export { parsePrediction, type Prediction } from './prediction.ts';
export { videoUrlOf } from './prediction-video.ts';
export { ReplicateDirectStorage } from './replicate-direct-storage.ts';
export { parseReplicateDirectOptions, type ReplicateDirectOptions } from './replicate-options.ts';
export { videoUrlsIn } from './video-urls.ts';
