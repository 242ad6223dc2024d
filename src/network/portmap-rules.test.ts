// SPDX-License-Identifier: Apache-2.0
// Which iptables calls take the portmap plugin's chains back, from printed rules. Nothing is run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmptyTable, portmapDeletions } from './portmap-rules.ts';

const UNUSED = `-P PREROUTING ACCEPT
-P OUTPUT ACCEPT
-N CNI-HOSTPORT-DNAT
-N CNI-HOSTPORT-MASQ
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A POSTROUTING -j SOMEBODY
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE`;

test('portmapDeletions() removes jumps, then empties and removes the chains', () => {
  assert.deepEqual(portmapDeletions(UNUSED), [
    ['-D', 'PREROUTING', '-m', 'addrtype', '--dst-type', 'LOCAL', '-j', 'CNI-HOSTPORT-DNAT'],
    ['-D', 'POSTROUTING', '-m', 'comment', '--comment', 'CNI portfwd requiring masquerade', '-j', 'CNI-HOSTPORT-MASQ'],
    ['-F', 'CNI-HOSTPORT-DNAT'],
    ['-F', 'CNI-HOSTPORT-MASQ'],
    ['-X', 'CNI-HOSTPORT-DNAT'],
    ['-X', 'CNI-HOSTPORT-MASQ'],
  ]);
});

test('portmapDeletions() leaves chains that still lead to a container', () => {
  assert.deepEqual(portmapDeletions(`${UNUSED}\n-A CNI-HOSTPORT-DNAT -p tcp -j CNI-DN-1234`), []);
});

test('isEmptyTable() is true when only policies are left', () => {
  assert.equal(isEmptyTable('-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n'), true);
  assert.equal(isEmptyTable(UNUSED), false);
});
