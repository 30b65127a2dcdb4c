// Fen to yuan: whole numbers ahead of a stay, always two decimals on a bill.
export interface MoneyValue {
  amount: number;
  currency: string;
}

export const yuan = (fen: number): string => (fen / 100).toFixed(2);
export const yuanShort = (fen: number): string => (fen % 100 ? (fen / 100).toFixed(2).replace(/0$/, '') : String(fen / 100));

export function Money({ fen, exact, size }: { fen: number; exact?: boolean; size?: 'big' | 'mid' }) {
  return (
    <span class={`money ${size ?? ''}`}>
      {fen < 0 && '−'}<span class="cur">¥</span>{exact ? yuan(Math.abs(fen)) : yuanShort(Math.abs(fen))}
    </span>
  );
}
