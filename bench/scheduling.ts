import type { Measurement } from './figures.ts';
export const scheduling: Measurement = { name: 'scheduling', needs: '', run: async () => [] };
