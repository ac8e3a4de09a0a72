"""Where problems come from: readers by layout, named rejections for what cannot be read."""
