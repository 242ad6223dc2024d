// SPDX-License-Identifier: Apache-2.0
// SPDY frames and connections: properties of the parser, and two ends talking over a pair of streams.
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { SpdyConnection, type SpdyStream } from './connection.ts';
import { SPDY_DICTIONARY } from './dictionary.ts';
import { encodeFrame, type Frame, FrameParser, SpdyError } from './frames.ts';
import { decodeHeaders, encodeHeaders, HeaderCompressor, HeaderDecompressor } from './headers.ts';

test('the dictionary has the length and checksum of SPDY/3', () => {
  const packed = deflateSync(Buffer.from('x'), { dictionary: SPDY_DICTIONARY });
  assert.equal(SPDY_DICTIONARY.length, 1423);
  assert.equal(packed.readUInt32BE(2), 0xe3c6a7c2);
});

const id = fc.integer({ min: 1, max: 0x7fffffff });
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant('data' as const), streamId: id, flags: fc.constantFrom(0, 1), data: bytes }),
  fc.record({
    type: fc.constantFrom('syn-stream' as const, 'syn-reply' as const, 'headers' as const),
    streamId: id,
    flags: fc.constantFrom(0, 1),
    block: bytes,
  }),
  fc.record({ type: fc.constant('rst-stream' as const), streamId: id, status: fc.nat() }),
  fc.record({ type: fc.constant('ping' as const), id: fc.nat() }),
  fc.record({ type: fc.constant('goaway' as const), lastStreamId: id, status: fc.nat() }),
  fc.record({ type: fc.constant('window-update' as const), streamId: id, delta: id }),
);

test('frames come back as they were, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (frames, sizes) => {
      const wire = Buffer.concat(frames.map(encodeFrame));
      const parser = new FrameParser();
      const seen: Frame[] = [];
      for (let at = 0; at < wire.length; ) {
        const size = sizes.next().value as number;
        seen.push(...parser.push(wire.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(
        seen,
        frames.map((frame) => ({ ...frame })),
      );
    }),
  );
});

test('whatever the bytes, the parser gives frames or a SpdyError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
      try {
        new FrameParser().push(Buffer.from(array));
      } catch (error) {
        assert.ok(error instanceof SpdyError);
      }
    }),
  );
});

test('whatever the bytes, header blocks give headers or a SpdyError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
      try {
        decodeHeaders(Buffer.from(array));
      } catch (error) {
        assert.ok(error instanceof SpdyError);
      }
    }),
  );
  assert.deepEqual(decodeHeaders(encodeHeaders({ Streamtype: 'error', port: '80' })), { streamtype: 'error', port: '80' });
});

test('header blocks share one compression context per direction', async () => {
  const compressor = new HeaderCompressor();
  const decompressor = new HeaderDecompressor();
  for (const streamtype of ['error', 'data', 'stdin', 'stdout']) {
    const headers = { streamtype, port: '8080', requestid: '0' };
    assert.deepEqual(await decompressor.decompress(await compressor.compress(headers)), headers);
  }
  compressor.close();
  decompressor.close();
});

test('two ends exchange streams both ways, half-close and end', async () => {
  const [left, right] = duplexPair();
  const opened = Promise.withResolvers<SpdyStream>();
  const server = new SpdyConnection(left, { role: 'server', onStream: (stream) => opened.resolve(stream) });
  const client = new SpdyConnection(right, { role: 'client' });

  const mine = await client.open({ streamtype: 'data', port: '80' });
  mine.io.end(Buffer.alloc(100_000, 'x'));
  const theirs = await opened.promise;
  assert.deepEqual(theirs.headers, { streamtype: 'data', port: '80' });
  assert.equal((await buffer(theirs.io)).length, 100_000);
  theirs.io.end('answer');
  assert.equal((await buffer(mine.io)).toString(), 'answer');

  await client.close();
  await server.closed;
});
