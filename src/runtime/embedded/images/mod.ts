// SPDX-License-Identifier: Apache-2.0
// images: the store on disk, archives in and out, pulls.
export { loadArchive, loadImageArchive } from './archive.ts';
export { EmbeddedImages } from './service.ts';
export { ImageStore } from './store.ts';
export { LayerError } from './unpack.ts';
export { entriesOf, type ImageSpec, importRootfs, type LayerEntry, packLayer, writeArchive } from './write-archive.ts';
