import type { Measurement } from './figures.ts';
export const memory: Measurement = { name: 'memory', needs: '', run: async () => [] };
