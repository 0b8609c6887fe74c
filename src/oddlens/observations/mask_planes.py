def unusable(mask, header, name):
    return mask != 0
