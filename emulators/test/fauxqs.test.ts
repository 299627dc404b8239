import { startFauxqs } from '../src/index.ts';
import { describeLife } from './describe-life.ts';
import { s3Subject } from './s3.ts';

describeLife('fauxqs', { byHand: 'fauxqs', start: startFauxqs, ...s3Subject });
