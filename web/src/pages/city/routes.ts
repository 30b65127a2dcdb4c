import type { Route } from '../../router';

export const city: Route[] = [];
