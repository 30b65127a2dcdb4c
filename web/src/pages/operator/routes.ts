import type { Route } from '../../router';

export const operator: Route[] = [];
