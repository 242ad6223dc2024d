// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDeclaration } from './descriptions.ts';

const SOURCE = `import { Model } from "base";
/**
 * Thing is a thing.
 */
export interface IThing {
    /**
     * First paragraph with \\*stars\\*.
     *
     * Second.
     */
    "spec"?: IThingSpec;
    /** One line. */
    "name": string;
    "bare"?: string;
}
/**
 * Thing is a class.
 */
export declare class Thing {
    "other"?: string;
}
export type { IThing as IIoK8sApiCoreV1Thing, Thing as IoK8sApiCoreV1Thing };
`;

test('readDeclaration() keeps paragraphs, unescapes, and leaves out what has no comment', () => {
  assert.deepEqual(readDeclaration(SOURCE), {
    name: 'IoK8sApiCoreV1Thing',
    fields: { '': 'Thing is a thing.', spec: 'First paragraph with *stars*.\n\nSecond.', name: 'One line.' },
  });
});

test('readDeclaration() skips a file that declares no API type', () => {
  assert.equal(readDeclaration('export const x = 1;'), undefined);
});
