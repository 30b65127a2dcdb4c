import type { Route } from '../../router';

export const staff: Route[] = [
  { path: '/inbox', load: () => import('./inbox'), who: 'staff', desk: true },
  { path: '/inbox/:id', load: () => import('./inbox'), who: 'staff', desk: true },
];
