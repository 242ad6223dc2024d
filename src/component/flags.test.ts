// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlagError, type FlagSpecs, parseDuration, parseFlags } from './flags.ts';

const SPECS: FlagSpecs = {
  'secure-port': { type: 'int', default: '6443', help: '' },
  'bind-address': { type: 'string', help: '' },
  'anonymous-auth': { type: 'bool', default: 'true', help: '' },
  'authorization-mode': { type: 'strings', default: 'Node,RBAC', help: '' },
};
const parse = (...args: string[]) => parseFlags('kube-apiserver', args, SPECS);

test('parseFlags() takes --name=value, --name value and switches', () => {
  const flags = parse('--secure-port=1', '--bind-address', '127.0.0.1', '--anonymous-auth');

  assert.deepEqual([flags.int('secure-port'), flags.string('bind-address'), flags.bool('anonymous-auth')], [1, '127.0.0.1', true]);
  assert.deepEqual(flags.strings('authorization-mode'), ['Node', 'RBAC']);
});

test('parseFlags() joins lists that are given several times', () => {
  assert.deepEqual(parse('--authorization-mode=A,B', '--authorization-mode=C').strings('authorization-mode'), ['A', 'B', 'C']);
});

for (const [arg, message] of [
  ['--secure-prt=1', /unknown flag: --secure-prt/],
  ['--etcd-servers=x', /--etcd-servers is not implemented/],
  ['--secure-port=x', /invalid argument "x" for "--secure-port" flag/],
  ['--anonymous-auth=yes', /invalid argument "yes"/],
  ['stray', /unknown argument "stray"/],
] as const) {
  test(`parseFlags() refuses ${arg} by name`, () => {
    assert.throws(() => parse(arg), message);
  });
}

test('parseFlags() only tells of harmless flags', () => {
  assert.deepEqual(parse('--v=4', '--profiling=false').ignored, ['v', 'profiling']);
});

test('parseFlags() throws a FlagError or nothing, whatever it is given', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (args) => {
      try {
        parse(...args);
      } catch (error) {
        assert.ok(error instanceof FlagError);
      }
    }),
  );
});

for (const [text, ms] of [
  ['300ms', 300],
  ['1.5h', 5_400_000],
  ['2m30s', 150_000],
  ['0', 0],
] as const) {
  test(`parseDuration() reads ${text} as ${ms} ms`, () => assert.equal(parseDuration(text), ms));
}
