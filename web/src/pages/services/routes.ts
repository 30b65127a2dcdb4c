import type { Route } from '../../router';

export const services: Route[] = [
  { path: '/services', load: () => import('./home') },
  { path: '/services/matters/:code', load: () => import('./matter') },
  { path: '/services/level', load: () => import('./level'), who: 'person' },
  { path: '/services/cases', load: () => import('./cases'), who: 'person' },
  { path: '/services/cases/:id', load: () => import('./case'), who: 'person' },
  { path: '/services/cases/:id/form', load: () => import('./form'), who: 'person' },
  { path: '/services/cases/:id/sent', load: () => import('./sent'), who: 'person' },
  { path: '/services/licences', load: () => import('./licences'), who: 'person' },
  { path: '/services/licences/:id', load: () => import('./licence'), who: 'person' },
  { path: '/services/verify', load: () => import('./verify') },
  { path: '/me/accesses', load: () => import('./accesses'), who: 'person' },
  { path: '/me/sessions', load: () => import('./sessions'), who: 'person' },
];
