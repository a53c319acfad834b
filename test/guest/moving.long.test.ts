import { describeMoving } from './support/moving.ts';

describeMoving(4);
