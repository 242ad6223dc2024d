import type { Measurement } from './figures.ts';
export const start: Measurement = { name: 'start', needs: '', run: async () => [] };
