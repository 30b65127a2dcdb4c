import type { Route } from '../../router';

export const city: Route[] = [{ path: '/city', load: () => import('./pulse'), who: 'city', desk: true }];
