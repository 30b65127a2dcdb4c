// The plate says who: on the account, on the map, on the pay button; never as decoration.
import { t } from '../i18n/shell';

export type PlateColour = 'blue' | 'yellow' | 'green' | 'yellow_green' | 'white' | 'black' | 'other';

const CLASS: Record<PlateColour, string> = { blue: 'blue', yellow: 'yellow', green: 'green', yellow_green: 'yellowgreen', white: 'white', black: 'black', other: 'none' };

export function Plate({ plate, colour, size }: { plate: string; colour: string; size?: 's' | 'm' | 'l' | 'xl' }) {
  const known = (colour in CLASS ? colour : 'other') as PlateColour;
  return (
    <span class={`plate ${CLASS[known]} ${size ?? ''}`}>
      <span class="sr">{t(`plate.${known}`)} </span>
      {plate.slice(0, 2)}<i class="sep"> </i>{plate.slice(2)}
    </span>
  );
}
