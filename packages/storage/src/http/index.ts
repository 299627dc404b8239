export { serveObject, type ServeOptions } from './serve-object.ts';
