import type { Route } from '../../router';

export const staff: Route[] = [];
