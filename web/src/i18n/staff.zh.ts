export const staff = {
  'title': '收件箱',
} satisfies Record<string, string>;
