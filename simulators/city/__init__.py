"""The reference city: Zhengzhou's bones by hand, its streets, blocks, buildings and bays by rule."""
