import type { Measurement } from './figures.ts';
export const watches: Measurement = { name: 'watches', needs: '', run: async () => [] };
