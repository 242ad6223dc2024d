// SPDX-License-Identifier: Apache-2.0
// The interface of the DNS address, in a network namespace of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const skip =
  process.getuid?.() !== 0 ? 'not root' : spawnSync('unshare', ['--net', 'true']).status === 0 ? undefined : 'no network namespaces';

test(`createDnsInterface() can be repeated and gives an address to bind${skip === undefined ? '' : ` (skipped: ${skip})`}`, {
  skip: skip !== undefined,
}, () => {
  const script = `
    import { createSocket } from 'node:dgram';
    import { createDnsInterface, removeDnsInterface } from ${JSON.stringify(join(import.meta.dirname, 'interface.ts'))};
    for (let round = 0; round < 2; round++) await createDnsInterface(['10.96.0.10', 'fd00::10']);
    const socket = createSocket('udp4');
    await new Promise((resolve, reject) => { socket.once('error', reject); socket.bind(53, '10.96.0.10', resolve); });
    socket.close();
    for (let round = 0; round < 2; round++) await removeDnsInterface();`;
  const { status, stderr } = spawnSync('unshare', ['--net', process.execPath, '--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
