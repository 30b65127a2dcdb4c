import type { Route } from '../../router';

export const driver: Route[] = [
  { path: '/', load: () => import('./home'), bare: true },
  { path: '/login', load: () => import('./login') },
  { path: '/me', load: () => import('./me') },
];
