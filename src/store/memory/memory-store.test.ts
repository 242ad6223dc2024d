// SPDX-License-Identifier: Apache-2.0
import { storeContract } from '../store.contract.ts';
import { MemoryStore } from './memory-store.ts';

storeContract('MemoryStore', async (clock) => new MemoryStore({ clock }));
