import type { Route } from '../../router';

export const services: Route[] = [];
